"""`python -m toolchain.bundling.ship --images PATH…`: runs the training stages of the variants of a recipe whose weights come with
the package, `default` unless `--recipe tiny`, and puts their results into the package, so that its build needs no face image.
Maintainers run it after new weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolchain.data.faces import Faces
from toolchain.errors import RecipeError
from toolchain.kept import SHIPPED, Kept, cache_folder, shipped_key, write_result
from toolchain.load import load_model
from toolchain.progress import Progress
from toolchain.recipe import Recipe
from toolchain.recipes import find_recipe
from toolchain.stage import Context


def ship(recipe: Recipe, images: list[Path], variants: list[str], cache: Path) -> list[Path]:
    """Makes or finds the results of every training stage of the recipe's `variants` (none: all) and writes them to the package's
    folder; returns the files. Error: RecipeError for a recipe that names no weights."""
    if recipe.weights is None:
        raise RecipeError(f"{recipe.name}: expected a recipe whose weights come with the package, this one trains its own")
    training, aside = Faces.read(images, cache / "faces", Progress()).split_aside()
    context = Context(cache / "work", cache / "shared", training, aside)
    # Looks past what the package holds already: it is about to be replaced.
    kept = Kept(cache / "stages", shipped=cache / "none")
    written = []
    for variant in recipe.variants:
        model = load_model(recipe.weights)
        for stage in variant.stages if not variants or variant.name in variants else ():
            before, model = model, kept.apply(stage, model, context)
            if stage.trains:
                written.append(SHIPPED / f"{shipped_key(stage, before)}.safetensors")
                write_result(written[-1], before, model)
                print(f"{variant.name}: {type(stage).__name__} -> {written[-1].name}, {written[-1].stat().st_size} bytes")
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", nargs="+", type=Path, required=True, help="aligned faces: folders or tars")
    parser.add_argument("--recipe", default="default", help="a recipe with weights of the package (default: default)")
    parser.add_argument("--variants", nargs="*", default=[], help="only these variants (default: all)")
    parser.add_argument("--cache", type=Path, default=cache_folder())
    options = parser.parse_args()
    ship(find_recipe(options.recipe), options.images, options.variants, options.cache)
