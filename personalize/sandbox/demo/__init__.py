"""A small blog and shop, whose visitors' reading and buying the sandbox tracks."""
