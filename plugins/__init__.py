"""Every method panopt knows, one module each."""
