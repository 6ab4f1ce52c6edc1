"""Calculations with arrays that several rooms share: ``statistics`` has medians and quantiles."""
