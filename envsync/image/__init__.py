"""Images: immutable views of a config and ordered layers, one module an origin. Nothing here knows Python."""
