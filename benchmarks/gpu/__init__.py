"""All that a GPU changes, measured on one: answers beside the processor's, times beside the card's own limit."""
