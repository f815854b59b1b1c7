"""Uncertainty for judged evaluations."""
