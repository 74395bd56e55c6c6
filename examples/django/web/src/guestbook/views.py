from django import forms
from django.db import connection
from django.http import JsonResponse
from django.shortcuts import redirect, render

from .greeting import GREETING
from .models import Entry


class EntryForm(forms.ModelForm):
    class Meta:
        model = Entry
        fields = ["name", "message"]


def book(request):
    form = EntryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("/")
    return render(request, "book.html", {"greeting": GREETING, "form": form, "entries": Entry.objects.all()[:50]})


def healthz(request):
    """Ready: the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return JsonResponse({"status": "ok"})


def livez(request):
    """Alive: this process answers."""
    return JsonResponse({"status": "ok"})
