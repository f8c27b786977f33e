"""Models set against labeled images: metrics, protocol cards, runs, tables, figures, and a page."""
