"""A fake NVIDIA GPU for tests: C libraries, machine trees, a pytest plugin.

Import the module you need (`build`, `scenario`, `machine`); this file stays empty
because pytest loads `plugin` in every project that has fwdoctor installed.
"""
