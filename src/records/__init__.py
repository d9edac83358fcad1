"""Per-image records on disk: the product. Every table, dashboard and mean is a view of them. No torch here."""
