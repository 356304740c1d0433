"""People who are enrolled, and the search among them. Templates are kept, never pictures."""

from runtime_py.gallery.export import export_people, import_people
from runtime_py.gallery.identifier import Enrolment, Identified, Identifier
from runtime_py.gallery.interface import PeopleGallery
from runtime_py.gallery.people import Person, Template, TemplateModel
from runtime_py.gallery.qdrant import QdrantGallery
from runtime_py.gallery.search import Candidate, Index
from runtime_py.gallery.store import Gallery, Merged

__all__ = [
    "Candidate",
    "Enrolment",
    "Gallery",
    "Identified",
    "Identifier",
    "Index",
    "Merged",
    "PeopleGallery",
    "Person",
    "QdrantGallery",
    "Template",
    "TemplateModel",
    "export_people",
    "import_people",
]
