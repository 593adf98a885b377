"""Training: ultralytics' trainer with checked data, resume and curves."""
