//! What is there after the worst moment?
