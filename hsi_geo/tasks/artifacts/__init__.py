"""What model and weights files hold."""
