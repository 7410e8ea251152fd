"""The words of the project and the pure stages over them; imports nothing else of ours."""
