"""A package: what its tests share as fixtures of `scope="package"` ends with the last of them."""
