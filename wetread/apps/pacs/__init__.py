"""Archives (PACS): studies by DICOMweb, results by STOW-RS and C-STORE, and a node that drafts what it is sent.

- `place`: addresses as people type them, and the credentials that go there; `destination`: where results go
- `dicomweb`: the client (QIDO-RS, WADO-RS, STOW-RS, PS3.18); `multipart`: multipart/related as it comes and goes
- `studies`: paths and addresses of studies to paths alone; `scratch`: a private folder that does not outlive its use
- `results`: what is sent of a report, and what became of each object; `dimse`: C-STORE to another node (PS3.7)
- `node`: the listening node; `spool`: what it took in, by study, on disk; `drafting`: from there to reports
"""
