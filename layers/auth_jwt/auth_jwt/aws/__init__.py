"""All that asks AWS, and all that reads its errors."""
