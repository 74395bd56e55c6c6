from django.urls import path

from . import views

urlpatterns = [path("", views.book), path("healthz", views.healthz), path("livez", views.livez)]
