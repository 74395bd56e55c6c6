# Change this line under `devkit watch` and reload the page.
GREETING = "Welcome to the guest book"
