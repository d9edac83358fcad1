"""The page: sections, charts, pictures and the templates that they fill."""
