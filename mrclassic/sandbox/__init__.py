"""Where code runs that may hang, crash or be hostile: workers for the owner's, the judge for a model's."""
