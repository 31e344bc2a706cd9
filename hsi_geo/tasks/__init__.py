"""Where data and models meet: one module a job. Paths are taken only to hand them to `io`."""
