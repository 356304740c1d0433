"""A gallery on Qdrant, for many machines that share one: `pip install 'pocketface[qdrant]'`.

Somebody is one point: their templates are a multivector for each model, compared by the most similar one (max_sim), and their name,
metadata and times are its payload. So every change of a person is one point written anew, which Qdrant does whole or not at all.
Searches are exact: no approximate index is built or asked.
"""

from __future__ import annotations

import dataclasses
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.errors import (
    GalleryClosedError,
    GalleryDuplicateError,
    GalleryFormatError,
    GalleryModelError,
    GalleryPersonError,
    GalleryReadError,
    GalleryWriteError,
    RuntimeMissingError,
)
from runtime_py.gallery.people import (
    Entry,
    Person,
    Row,
    Template,
    TemplateModel,
    check_entries,
    check_metadata,
    check_name,
    check_templates,
)
from runtime_py.gallery.search import check_top
from runtime_py.gallery.store import Merged, Taken, check_taken

_TRIES = 20
"""How often a change is made anew where another machine changed the same person meanwhile."""
_PAGE = 256


class QdrantGallery:
    """The methods of `Gallery`, with the same errors, on the collection `collection` of a Qdrant server. May be shared between threads.

    Three things are weaker than in a file. Qdrant knows no transactions over several people: an import that is cut off, or refused since
    another machine enrols the same people at that moment, may have taken in some of them, and is to be repeated with "add". What is deleted
    is not overwritten on the server's disk. And two machines that give one name to two people at the same moment are both refused.
    """

    def __init__(self, where: str | os.PathLike[str], collection: str = "people", api_key: str | None = None) -> None:
        """`where`: the server's URL; or ":memory:", or a folder, for Qdrant inside this process, which is meant for trials and tests.

        Errors: RuntimeMissingError without qdrant-client; GalleryReadError where the server cannot be reached.
        """
        try:
            import qdrant_client
        except ImportError:
            raise RuntimeMissingError("expected qdrant-client, found none; pip install 'pocketface[qdrant]'") from None
        self.where, self.collection, self._closed = str(where), collection, False
        self._models: Any = qdrant_client.models
        self._client: Any
        self._remote = self.where.startswith(("http://", "https://"))
        with self._typed(GalleryReadError):
            if self._remote:
                self._client = qdrant_client.QdrantClient(url=self.where, api_key=api_key, check_compatibility=False)
            elif self.where == ":memory:":
                self._client = qdrant_client.QdrantClient(":memory:")
            else:
                self._client = qdrant_client.QdrantClient(path=self.where)
            self._make()

    def __enter__(self) -> QdrantGallery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; the gallery cannot be used afterwards."""
        self._closed = True
        self._client.close()

    def __len__(self) -> int:
        with self._typed(GalleryReadError):
            return int(self._client.count(self.collection).count)

    def people(self) -> tuple[Person, ...]:
        return tuple(sorted((person for person, _ in self._all()), key=lambda person: person.name))

    def person(self, id: str) -> Person:
        return self._held(id)[0]

    def named(self, name: str) -> Person:
        found = self._of_name(check_name(name))
        if not found:
            raise GalleryPersonError("expected the name of somebody who is enrolled, got another; list the people to see who is")
        return self.person(found[0])

    def models(self) -> tuple[TemplateModel, ...]:
        return tuple(dict.fromkeys(template.model for person in self.people() for template in person.templates))

    def count(self, model: TemplateModel) -> int:
        """How many templates of `model` there are."""
        if model.sha256 not in self._sizes():
            return 0
        return sum(template.model == model for person, _ in self._all(self._having(model)) for template in person.templates)

    def enrol(
        self, name: str, templates: npt.NDArray[np.floating], model: TemplateModel, metadata: Mapping[str, str] | None = None
    ) -> Person:
        name, rows, metadata = check_name(name), check_templates(templates, model), check_metadata(metadata or {})
        return self._insert(Person(str(uuid.uuid4()), name, _now(), (), metadata), [(model, _now(), row) for row in rows])

    def add(self, id: str, templates: npt.NDArray[np.floating], model: TemplateModel) -> Person:
        rows = [(model, _now(), row) for row in check_templates(templates, model)]
        return self._change(id, lambda person, held: (person, [*held, *rows]))

    def re_enrol(self, id: str, templates: npt.NDArray[np.floating], model: TemplateModel) -> Person:
        rows = [(model, _now(), row) for row in check_templates(templates, model)]
        return self._change(id, lambda person, held: (person, rows))

    def rename(self, id: str, name: str) -> Person:
        name, before = check_name(name), self.person(id).name
        if name == before:
            return self.person(id)
        self._check_free(name)
        made = self._change(id, lambda person, held: (dataclasses.replace(person, name=name), held))
        if len(self._of_name(name)) > 1:  # another machine gave the name away meanwhile
            self._change(id, lambda person, held: (dataclasses.replace(person, name=before), held))
            raise _taken()
        return made

    def delete(self, *ids: str) -> None:
        for id in ids:
            self._held(id)
        with self._typed(GalleryWriteError):
            self._client.delete(self.collection, points_selector=self._models.PointIdsList(points=list(ids)))

    def delete_all(self) -> int:
        count = len(self)
        with self._typed(GalleryWriteError):
            self._client.delete(self.collection, points_selector=self._models.FilterSelector(filter=self._models.Filter(must=[])))
        return count

    def enrol_again(self, model: TemplateModel) -> tuple[Person, ...]:
        return tuple(person for person in self.people() if not person.has(model))

    def search(self, query: npt.NDArray[np.floating], model: TemplateModel, top: int = 1) -> list[tuple[Person, float]]:
        vector, top = check_templates(query, model)[0], check_top(top)
        found: list[Any] = []
        if model.sha256 in self._sizes():
            self._check_size(model)
            exact = self._models.SearchParams(exact=True) if self._remote else None  # inside this process it always is
            with self._typed(GalleryReadError):
                asked = {"query": [vector.tolist()], "using": model.sha256, "limit": top, "search_params": exact}
                found = self._client.query_points(self.collection, **asked).points
        if not found:
            others = [str(other) for other in self.models()]
            if others:
                raise GalleryModelError(
                    f"{self.where}: expected templates of {model}, got those of {', '.join(others)}; enrol people again with this model, "
                    "or search with the one that they were enrolled with"
                )
        return [(self._entry(point, {})[0], min(1.0, max(-1.0, float(point.score)))) for point in found]

    def entries(self) -> list[Entry]:
        return sorted(self._all(vectors=True), key=lambda entry: entry[0].name)

    def merge(self, entries: Iterable[Entry], taken: Taken = "refuse") -> Merged:
        """As `Gallery.merge`, but person by person: see the class."""
        check_taken(taken)
        checked = check_entries(entries)
        if taken == "refuse":
            ids, names = {person.id for person, _ in checked}, {person.name for person, _ in checked}
            if len(ids) < len(checked) or len(names) < len(checked) or any(self._here(person) for person, _ in checked):
                raise _taken()
        counts = {"enrolled": 0, "skipped": 0, "replaced": 0, "added": 0}
        for person, rows in checked:
            id = self._here(person)
            if id is None:
                self._insert(person, rows)
                counts["enrolled"] += 1
            elif taken == "refuse":  # another machine enrolled them meanwhile
                raise _taken()
            elif taken == "skip":
                counts["skipped"] += 1
            elif taken == "replace":
                self._change(id, lambda old, _, rows=rows: (old, rows))  # type: ignore[misc]
                counts["replaced"] += 1
            else:
                self._change(id, lambda old, held, rows=rows: (old, [*held, *_new(rows, held)]))  # type: ignore[misc]
                counts["added"] += 1
        return Merged(**counts)

    def _make(self) -> None:
        """The collection, unless it is there; another machine may make it at the same time."""
        if self._client.collection_exists(self.collection):
            return
        try:
            self._client.create_collection(self.collection, vectors_config={}, hnsw_config=self._models.HnswConfigDiff(m=0))
            if self._remote:
                self._client.create_payload_index(self.collection, "name", self._models.PayloadSchemaType.KEYWORD)
        except Exception:
            if not self._client.collection_exists(self.collection):
                raise

    def _sizes(self) -> dict[str, int]:
        """Numbers in a template, by the sha256 of each model that the collection knows."""
        with self._typed(GalleryReadError):
            vectors = self._client.get_collection(self.collection).config.params.vectors or {}
        return {name: params.size for name, params in vectors.items()}

    def _check_size(self, model: TemplateModel) -> None:
        size = self._sizes().get(model.sha256)
        if size is not None and size != model.size:
            raise GalleryModelError(f"expected templates of {size} numbers, as those of {model} here are, got {model.size}")

    def _know(self, model: TemplateModel) -> None:
        """A place for the templates of `model` in every point."""
        self._check_size(model)
        if model.sha256 in self._sizes():
            return
        models = self._models
        comparing = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
        dense = models.DenseVectorConfig(size=model.size, distance=models.Distance.DOT, multivector_config=comparing)
        with self._typed(GalleryWriteError):
            self._client.create_vector_name(
                self.collection, vector_name=model.sha256, vector_name_config=models.DenseVectorNameConfig(dense=dense)
            )

    def _having(self, model: TemplateModel) -> Any:
        return self._models.Filter(must=[self._models.HasVectorCondition(has_vector=model.sha256)])

    def _field(self, name: str, value: str) -> Any:
        return self._models.Filter(must=[self._models.FieldCondition(key=name, match=self._models.MatchValue(value=value))])

    def _all(self, wanted: Any = None, vectors: bool = False) -> Iterator[Entry]:
        offset = None
        while True:
            with self._typed(GalleryReadError):
                points, offset = self._client.scroll(
                    self.collection, scroll_filter=wanted, limit=_PAGE, offset=offset, with_vectors=vectors
                )
            for point in points:
                yield self._entry(point, point.vector or {})
            if offset is None:
                return

    def _entry(self, point: Any, vectors: Mapping[str, Sequence[Sequence[float]]]) -> Entry:
        """A point as a person; with their templates where it came with vectors."""
        try:
            payload = point.payload
            stated = [(TemplateModel(sha256, variant, size), at) for sha256, variant, size, at in payload["templates"]]
            person = Person(
                str(point.id),
                payload["name"],
                payload["created"],
                tuple(Template(model, at) for model, at in stated),
                payload["metadata"],
            )
            left = {name: iter(rows) for name, rows in vectors.items()}
            rows = [(model, at, np.array(next(left[model.sha256]), np.float32)) for model, at in stated] if vectors else []
        except (KeyError, TypeError, ValueError, StopIteration):
            raise GalleryFormatError(f"{self.where}: expected people in the collection {self.collection}, got other points") from None
        return person, rows

    def _held(self, id: str) -> tuple[Person, list[Row], str]:
        """Somebody, their templates, and the mark of the last change. Error: GalleryPersonError."""
        points = []
        if _is_uuid(id):
            with self._typed(GalleryReadError):
                points = self._client.retrieve(self.collection, [id], with_vectors=True)
        if not points:
            raise GalleryPersonError("expected the id of somebody who is enrolled, got another; list the people to see who is")
        person, rows = self._entry(points[0], points[0].vector or {})
        return person, list(rows), str(points[0].payload.get("change"))

    def _of_name(self, name: str) -> list[str]:
        with self._typed(GalleryReadError):
            return [str(point.id) for point in self._client.scroll(self.collection, scroll_filter=self._field("name", name), limit=2)[0]]

    def _here(self, person: Person) -> str | None:
        """The id under which somebody is here already: their own, or else that of whoever has their name."""
        try:
            return self.person(person.id).id
        except GalleryPersonError:
            return next(iter(self._of_name(person.name)), None)

    def _check_free(self, name: str) -> None:
        if self._of_name(name):
            raise _taken()

    def _insert(self, person: Person, rows: Sequence[Row]) -> Person:
        self._check_free(person.name)
        self._write(person, rows, self._models.UpdateMode.INSERT_ONLY, None)
        if len(self._of_name(person.name)) > 1:  # another machine gave the name away meanwhile: both are told so
            self.delete(person.id)
            raise _taken()
        return self.person(person.id)

    def _change(self, id: str, change: Callable[[Person, list[Row]], tuple[Person, Sequence[Row]]]) -> Person:
        """Writes somebody as `change` makes them of what they are, unless another machine changed them meanwhile: then once more."""
        for _ in range(_TRIES):
            person, held, mark = self._held(id)
            made = self._write(*change(person, held), self._models.UpdateMode.UPDATE_ONLY, self._field("change", mark))
            now, _rows, last = self._held(id)
            if last == made:
                return now
        raise GalleryWriteError(f"{self.where}: others change the same person all the time; nothing was changed, try again")

    def _write(self, person: Person, rows: Sequence[Row], mode: Any, only: Any) -> str:
        """Writes a point whole, where `only` holds of what is there; returns the mark of this change."""
        mark, vectors = str(uuid.uuid4()), dict[str, list[list[float]]]()
        for model in dict.fromkeys(model for model, _, _ in rows):
            self._know(model)
        for model, _, vector in rows:
            vectors.setdefault(model.sha256, []).append(vector.tolist())
        payload = {
            "name": person.name,
            "created": person.created,
            "metadata": dict(person.metadata),
            "templates": [[model.sha256, model.variant, model.size, created] for model, created, _ in rows],
            "change": mark,
        }
        point = self._models.PointStruct(id=person.id, vector=vectors, payload=payload)
        with self._typed(GalleryWriteError):
            self._client.upsert(self.collection, [point], update_mode=mode, update_filter=only)
        return mark

    @contextmanager
    def _typed(self, otherwise: type[GalleryReadError] | type[GalleryWriteError]) -> Iterator[None]:
        """The client's errors as ours."""
        if self._closed:
            raise GalleryClosedError(f"{self.where}: expected an open gallery, got a closed one; open it again")
        from qdrant_client.http.exceptions import ApiException

        try:
            yield
        except (ApiException, OSError, RuntimeError, ValueError) as error:
            raise otherwise(f"{self.where}: Qdrant: {' '.join(str(error).split())[:200]}; see that it runs and can be reached") from None


def _new(rows: Sequence[Row], held: Sequence[Row]) -> list[Row]:
    """Those of `rows` that are not among `held`."""
    known = {(model, vector.tobytes()) for model, _, vector in held}
    return [row for row in rows if (row[0], row[2].tobytes()) not in known]


def _taken() -> GalleryDuplicateError:
    return GalleryDuplicateError("expected somebody whose id and name nobody has, got one who is enrolled; give another name")


def _is_uuid(id: str) -> bool:
    try:
        return str(uuid.UUID(id)) == id
    except ValueError:
        return False


def _now() -> int:
    return time.time_ns() // 1_000_000
