"""What the pages say: commands run or parse, links lead somewhere, texts exist."""
