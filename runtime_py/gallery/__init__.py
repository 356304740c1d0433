"""People who are enrolled, and the search among them. Templates are kept, never pictures."""

from runtime_py.gallery.people import Person, Template, TemplateModel
from runtime_py.gallery.search import Candidate, Index
from runtime_py.gallery.store import Gallery

__all__ = ["Candidate", "Gallery", "Index", "Person", "Template", "TemplateModel"]
