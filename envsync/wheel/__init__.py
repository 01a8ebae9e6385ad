"""Any distribution that is installed in an image, as a wheel of the image's own files."""
