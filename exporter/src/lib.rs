//! The node's plumbing as metrics: probes, scrape, serve.
