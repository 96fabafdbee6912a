"""Phantoms and simulated models give the same bytes on every processor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

DRAW = """
import hashlib, io, json
from PIL import Image
from wetread.testing.phantom import Finding, chest_phantom
from wetread.testing.simulated_embeddings import embed_picture, embed_text
from wetread.testing.simulated_masks import draw_masks
from wetread.testing.simulated_picture import look_at

def named(content):
    return hashlib.sha256(content).hexdigest()

for view, kind in (("frontal", "effusion"), ("frontal", "mass"), ("lateral", None)):
    findings = [] if kind is None else [Finding(kind, side="left")]
    pixels = chest_phantom(512, seed=7, view=view, findings=findings).pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    picture = look_at(file.getvalue())
    masks = draw_masks(picture, ("right lung", "heart", "lungs", "nodule", "kidney"), 0)
    vectors = json.dumps([embed_picture(picture, 0), embed_text("chest x-ray without effusion", 0)])
    print(view, kind, named(pixels.tobytes()), named(masks.tobytes()), named(vectors.encode()))
"""


def drawn(**environment: str) -> list[str]:
    known = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", DRAW], env=known, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "environment",
    [
        {"NPY_DISABLE_CPU_FEATURES": "AVX512_ICL X86_V4"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX512_ICL X86_V4 X86_V3"},
        {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1"},
    ],
    ids=["no AVX-512", "no AVX", "another BLAS kernel"],
)
def test_an_older_processor_draws_the_same(environment: dict[str, str]) -> None:
    lines = drawn()
    assert len(lines) == 3 and len(set(lines)) == 3
    assert drawn(**environment) == lines
