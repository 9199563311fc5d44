//! Stories of the workspace on real folders, repositories and scripts.
