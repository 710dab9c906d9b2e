"""What is seen, one widget a file. Widgets know no store and no model: they show, and say what the owner did."""
