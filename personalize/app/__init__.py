"""The composition root: settings become an application. Nothing is opened before its lifespan begins."""
