"""Charts: figures as data, drawn on a canvas or exported as PNG and PDF."""
