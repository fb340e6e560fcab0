"""Do groups of failures agree with what a person says? Labels by hand, and ways of grouping held against them."""
