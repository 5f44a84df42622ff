"""What a team expects of its machines and images, in fwdoctor.toml."""
