"""How fast the toolkit is, as ratios to what people would do without it, side by side in one run."""
