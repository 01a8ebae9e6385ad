"""What each kind of finding means, in a sentence; ``docs/drift.md`` says it in full."""

from __future__ import annotations

from envsync.drift.finding import Kind

MEANINGS: dict[Kind, str] = {
    "interpreter-version": "Python is of another version: compiled distributions, syntax and modules may not fit.",
    "interpreter-implementation": "Another implementation of Python runs here.",
    "interpreter-abi": "Python is built otherwise: what was compiled for one cannot be imported by the other.",
    "distribution-missing": "A distribution of the image is not here: importing its modules fails.",
    "distribution-version": "A distribution has another version than in the image.",
    "distribution-origin": "A distribution comes from somewhere else, so that its files need not be the same.",
    "distribution-modified": "Files of a distribution are not what was installed, by its RECORD.",
    "distribution-build": "A distribution of the right version is made of other files than the image's.",
    "distribution-extra": "A distribution is here that the image has not: code that imports it fails there.",
    "conda-environment-missing": "The image has a conda environment, and here is none.",
    "conda-package-missing": "A conda package of the image is not here.",
    "conda-package-version": "A conda package has another version than in the image.",
    "conda-package-build": "A conda package is of another build, or for another platform.",
    "conda-package-channel": "A conda package comes from another channel.",
    "conda-package-hash": "A conda package of the same name, version and build is another file.",
    "conda-files-missing": "Files of a conda package are gone.",
    "conda-files-changed": "Files of a conda package are not what conda installed.",
    "conda-overwritten": "pip wrote over files of a conda package on one side only, or otherwise.",
    "conda-virtual-package": "Conda packages ask for something of the machine that it has not.",
    "conda-package-extra": "A conda package is here that the image has not.",
    "environment-variable": "A variable of the image's config is not set here, or otherwise.",
    "library-missing": "A distribution needs a shared library that the loader does not find: importing it fails.",
    "library-symbols": "A shared library lacks versions of symbols that a distribution needs: importing it fails.",
    "library-version": "A shared library that a distribution needs is given by a package of another version.",
    "command-missing": "A distribution runs a program that the image has, and that is not on PATH here.",
    "command-version": "A program that a distribution runs is of a package of another version.",
    "resource-missing": "Data that the image's system gives to programs is not here.",
    "resource-version": "Data that the system gives to programs is not the image's.",
    "os-architecture": "The processor is another one: compiled distributions are other files.",
    "os-release": "The operating system is another one, or of another release.",
    "os-package-missing": "An OS package of the image is not here.",
    "os-package-architecture": "An OS package is here for another architecture.",
    "os-package-version": "An OS package has another version than in the image.",
    "os-package-extra": "An OS package is in one image only.",
    "os-not-comparable": "The OS packages of the two sides are of different systems and cannot be compared.",
}
