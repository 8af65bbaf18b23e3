"""What medicine needs before, around and after the model. Knows no model, no page, no network."""
