// What test/run.sh tells the C library of the tests' own processes: the programs that they start do not hear it, they run as they do where they
// are installed.

delete process.env.GLIBC_TUNABLES;
