"""The record of communes, authorisations, cameras and streams."""
