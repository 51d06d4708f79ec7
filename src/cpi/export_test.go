package cpi

// What the black-box tests of this package look at.
var (
	Hardware = hardware
	NodeName = nodeName
)
