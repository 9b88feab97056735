"""What the formats' own readers make of the documents that are written."""
