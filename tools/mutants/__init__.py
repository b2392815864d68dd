"""Do the tests bite? `make mutants` breaks the program on purpose, and says which breaks no test noticed.

`operators` says what is broken, `choosing` which of it is tried and which tests are asked, `recorded` which of these
concern a mutant, `equivalents` which mutants nobody could notice. `worker` runs them: it forks a process that has
imported and collected everything, and puts the mutant into the fork. No file is changed.
"""
