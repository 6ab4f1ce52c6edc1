"""The file formats that clients, the server and the engine share; each is defined in one module."""
