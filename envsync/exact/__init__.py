"""What makes a twin exact: the files of each distribution of an image, and where the same files can be had."""
