//! What a pull request says of the release that it leads to.
