"""What runs inside the sandbox: the fork server and its two roles. Standard library only, and nothing else of ours."""
