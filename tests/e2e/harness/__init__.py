"""What the end-to-end tests stand on: the real vmmd, a raw client, guests as bytes."""
