//! One file or folder per backend, and the registry that opens one by name.
