"""What every client of HTTP here needs: connections, proxies, certificates, and words for what fails."""
