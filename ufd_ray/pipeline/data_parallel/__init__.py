"""Ray Train's workers: started, replaced when lost, added up over, kept, heard."""
