"""What speaks to other programs' files, one shim each."""
