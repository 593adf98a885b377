"""The image widget: zoom, pan, masks, boxes and labels."""
