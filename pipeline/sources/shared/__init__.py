"""What the readers of several formats share: streams, records, markup, and how loose fields become a document."""
